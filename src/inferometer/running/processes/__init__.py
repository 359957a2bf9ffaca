"""One child: started, asked, its end understood."""
